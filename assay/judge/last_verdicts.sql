-- What was said last night of tonight's samples: of those that had their content and label then, and that nobody has
-- decided anything about. Copies with one label are one.
with

known as (
    select old_samples.content_hash, old_samples.label, old_scores.metric, bool_or(old_scores.is_issue) as was_issue
    from old_scores
    inner join old_samples on old_samples.sample_id = old_scores.sample_id
    inner join steady on steady.metric = old_scores.metric
    group by old_samples.content_hash, old_samples.label, old_scores.metric
)

select samples.sample_id, known.metric, known.was_issue
from samples
inner join known on known.content_hash = samples.content_hash and known.label is not distinct from samples.label
left join decided on decided.sample_id = samples.sample_id
where decided.sample_id is null
