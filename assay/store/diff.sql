-- What changed between two snapshots: one row per sample, change and metric. Rows of the `diff` table.
-- A score is `worse` when it rose by more than 0.05 while it stayed an issue.
with
    old_samples_ as (select sample_id, content_hash, label from old_samples),
    new_samples_ as (select sample_id, content_hash, label from new_samples),
    membership as (
        select
            coalesce(n.sample_id, o.sample_id) as sample_id,
            case
                when o.sample_id is null then 'added'
                when n.sample_id is null then 'removed'
                else 'label_changed'
            end as change,
            '' as metric
        from old_samples_ as o
        full outer join new_samples_ as n using (sample_id)
        where o.sample_id is null or n.sample_id is null or o.label is distinct from n.label
    ),
    flags as (
        select
            coalesce(n.sample_id, o.sample_id) as sample_id,
            coalesce(n.metric, o.metric) as metric,
            coalesce(o.is_issue, false) as was_issue,
            coalesce(n.is_issue, false) as is_issue,
            coalesce(n.score, 0) - coalesce(o.score, 0) as rise
        from old_scores as o
        full outer join new_scores as n on o.sample_id = n.sample_id and o.metric = n.metric
        where o.is_issue or n.is_issue
    ),
    changes as (
        select
            sample_id,
            case
                when is_issue and not was_issue then 'new_issue'
                when was_issue and not is_issue then 'resolved'
                else 'worse'
            end as change,
            metric
        from flags
        where is_issue <> was_issue or rise > 0.05
    )
select sample_id, change, metric from membership
union all
select sample_id, change, metric from changes
order by sample_id, change, metric
