-- Per pair of splits: the share of the first one's units with a unit of the second within `radius`.
with

unit_splits as (
    select distinct unit, split from places where split is not null and unit >= 0
),

sizes as (
    select split, count(*) as n from unit_splits group by split
),

-- an edge finds its neighbour's splits first: in one join with both ends the planner compares every pair of units
near as (
    select distinct edges.unit, b.split as other_split
    from edges
    inner join unit_splits as b on b.unit = edges.neighbor
    where edges.distance <= $radius
),

reached as (
    select a.split, near.other_split, count(*) as n
    from unit_splits as a
    inner join near on near.unit = a.unit
    where a.split != near.other_split
    group by a.split, near.other_split
)

select
    'coverage:' || a.split || '→' || b.split as metric,
    coalesce(any_value(reached.n), 0) / any_value(a.n) as value,
    'share of the first with a sample of the second within the reference radius' as note
from sizes as a
inner join sizes as b on a.split != b.split
left join reached on reached.split = a.split and reached.other_split = b.split
group by a.split, b.split
order by metric
