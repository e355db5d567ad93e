-- Per label: the other label that most often votes among its samples' neighbours, and that share of the votes.
with

near as (
    select cases.label, other.label as other_label, sum(cases.share * other.share) as votes
    from cases
    inner join edges on edges.unit = cases.unit
    inner join cases as other on other.unit = edges.neighbor
    where cases.label >= 0 and other.label >= 0
    group by cases.label, other.label
),

shares as (
    select label, other_label, votes / sum(votes) over (partition by label) as overlap from near
)

select label, arg_max(other_label, (overlap, -other_label)) as overlap_label, max(overlap) as overlap
from shares
where other_label != label
group by label
order by label
