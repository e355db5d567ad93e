-- The decisions that stand for a snapshot's samples: not undone, the latest of each aspect of a sample (and of each tag).
-- The content is what it was; for decisions about a label the label is, too. `sequence` orders them, whatever a clock said.
with undone as (
    select value as batch from history.decisions where kind = 'undo' and value is not null
),
standing as (
    select
        *,
        case
            when kind in ('accept_label', 'reject_label') then 'label'
            when kind in ('keep', 'drop') then 'member'
            when kind in ('tag', 'untag') then 'tag'
        end as aspect,
        case when kind in ('tag', 'untag') then value else '' end as tag
    from history.decisions
    where kind <> 'undo' and batch not in (select batch from undone)
),
latest as (
    select *
    from standing
    where aspect is not null
    qualify row_number() over (
        partition by sample_id, aspect, tag order by sequence desc, "at" desc, batch desc
    ) = 1
)
select latest.* exclude (aspect, tag)
from latest
join samples on samples.sample_id = latest.sample_id and samples.content_hash = latest.content_hash
where latest.kind <> 'untag' and (latest.aspect <> 'label' or samples.label is not distinct from latest.label)
order by latest.sample_id, latest.kind, latest.value
