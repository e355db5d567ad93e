-- Per class of labels that are sets: the mean share of its carriers' labelled neighbours that carry it too. `cases` has
-- a row per unit and class, `labelled` the units that somebody labelled.
with

shares as (
    select cases.unit, cases.label, sum(coalesce(other.share, 0.0)) / count(*) as purity
    from cases
    inner join edges on edges.unit = cases.unit
    inner join labelled on labelled.unit = edges.neighbor
    left join cases as other on other.unit = edges.neighbor and other.label = cases.label
    group by cases.unit, cases.label
)

select label, least(avg(purity), 1.0) as purity
from shares
group by label
order by label
