-- What changed between two snapshots: one row per sample, change and metric. Rows of the `diff` table.
-- A sample is the one of its id where it has its content still; else the one that has its content (it moved: under
-- another name, or into another class), one of the same label before others; else the one of its id (its content was
-- replaced). What is left was added or removed. Issues are compared along these pairs.
-- A score is `worse` when it rose by more than 0.05 while it stayed an issue.
with
    old_samples_ as (select sample_id, content_hash, label from old_samples),
    new_samples_ as (select sample_id, content_hash, label from new_samples),
    same as (
        select o.sample_id as old_id, n.sample_id as new_id
        from old_samples_ as o
        inner join new_samples_ as n on o.sample_id = n.sample_id and o.content_hash = n.content_hash
    ),
    old_left as (
        select *, row_number() over (partition by content_hash, label order by sample_id) as nth
        from old_samples_
        where sample_id not in (select old_id from same)
    ),
    new_left as (
        select *, row_number() over (partition by content_hash, label order by sample_id) as nth
        from new_samples_
        where sample_id not in (select new_id from same)
    ),
    moved_within as (
        select o.sample_id as old_id, n.sample_id as new_id
        from old_left as o
        inner join new_left as n
            on o.content_hash = n.content_hash and o.label is not distinct from n.label and o.nth = n.nth
    ),
    old_rest as (
        select *, row_number() over (partition by content_hash order by sample_id) as place
        from old_left
        where sample_id not in (select old_id from moved_within)
    ),
    new_rest as (
        select *, row_number() over (partition by content_hash order by sample_id) as place
        from new_left
        where sample_id not in (select new_id from moved_within)
    ),
    moved_across as (
        select o.sample_id as old_id, n.sample_id as new_id
        from old_rest as o
        inner join new_rest as n on o.content_hash = n.content_hash and o.place = n.place
    ),
    replaced as (
        select o.sample_id as old_id, n.sample_id as new_id
        from old_rest as o
        inner join new_rest as n on o.sample_id = n.sample_id
        where
            o.sample_id not in (select old_id from moved_across)
            and n.sample_id not in (select new_id from moved_across)
    ),
    pairs as (
        select old_id, new_id, '' as change from same
        union all
        select old_id, new_id, 'moved' as change from moved_within
        union all
        select old_id, new_id, 'moved' as change from moved_across
        union all
        select old_id, new_id, 'content_changed' as change from replaced
    ),
    described as (
        select
            p.*,
            o.label as old_label,
            o.label is distinct from n.label as is_relabelled
        from pairs as p
        inner join old_samples_ as o on p.old_id = o.sample_id
        inner join new_samples_ as n on p.new_id = n.sample_id
        where p.change <> '' or o.label is distinct from n.label
    ),
    membership as (
        select sample_id, 'added' as change, null as was_id, null as was_label
        from new_samples_
        where sample_id not in (select new_id from pairs)
        union all
        select sample_id, 'removed' as change, null as was_id, label as was_label
        from old_samples_
        where sample_id not in (select old_id from pairs)
        union all
        select new_id as sample_id, 'label_changed' as change, nullif(old_id, new_id) as was_id, old_label as was_label
        from described
        where is_relabelled
        union all
        select new_id as sample_id, change, nullif(old_id, new_id) as was_id, null as was_label
        from described
        where change = 'content_changed' or (change = 'moved' and not is_relabelled)
    ),
    old_flags as (
        select p.new_id as sample_id, s.metric, s.is_issue, s.score
        from old_scores as s
        inner join pairs as p on s.sample_id = p.old_id
        union all
        select s.sample_id, s.metric, s.is_issue, s.score
        from old_scores as s
        where s.is_issue and s.sample_id not in (select old_id from pairs)
            and s.sample_id not in (select sample_id from new_samples_)
    ),
    flags as (
        select
            coalesce(n.sample_id, o.sample_id) as sample_id,
            coalesce(n.metric, o.metric) as metric,
            coalesce(o.is_issue, false) as was_issue,
            coalesce(n.is_issue, false) as is_issue,
            coalesce(n.score, 0) - coalesce(o.score, 0) as rise
        from old_flags as o
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
select sample_id, change, '' as metric, was_id, was_label from membership
union all
select sample_id, change, metric, null as was_id, null as was_label from changes
order by sample_id, change, metric
