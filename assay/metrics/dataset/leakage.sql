-- Per pair of splits: the share of the first split's samples that have a duplicate in the second.
with

both_ways as (
    select sample_id, split, other_split from leaks
    union all
    select other_id as sample_id, other_split as split, split as other_split from leaks
),

sizes as (
    select split, count(*) as n from samples where split is not null group by split
),

pairs as (
    select a.split, b.split as other_split, a.n
    from sizes as a
    inner join sizes as b on a.split != b.split
)

select
    'leakage:' || pairs.split || '→' || pairs.other_split as metric,
    count(distinct both_ways.sample_id) / pairs.n as value,
    count(distinct both_ways.sample_id) || ' of ' || pairs.n || ' samples of the first stand in the second' as note
from pairs
left join both_ways on both_ways.split = pairs.split and both_ways.other_split = pairs.other_split
group by pairs.split, pairs.other_split, pairs.n
order by metric
