-- Per label: the share of its units that have another unit of the label within `radius`.
with

reached as (
    select
        cases.unit,
        cases.label,
        coalesce(max(case when edges.distance <= $radius and other.label = cases.label then 1 else 0 end), 0) as hit
    from cases
    left join edges on edges.unit = cases.unit
    left join cases as other on other.unit = edges.neighbor
    where cases.label >= 0
    group by cases.unit, cases.label
)

select label, avg(hit) as coverage
from reached
group by label
order by label
