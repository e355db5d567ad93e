-- Members of a duplicate group whose labels disagree; the score is the share of the other labelled members that
-- carry another label.
with

members as (
    select copies.group_id, samples.sample_id, samples.label
    from copies
    inner join samples on samples.sample_id = copies.sample_id
    where samples.label is not null
),

counted as (
    select
        sample_id,
        count(*) over (partition by group_id) as n_members,
        count(*) over (partition by group_id, label) as n_same
    from members
)

select
    sample_id,
    'label_conflict' as metric,
    (n_members - n_same) / (n_members - 1) as score,
    (n_members - n_same) as value,
    true as is_issue
from counted
where n_same < n_members
order by sample_id
