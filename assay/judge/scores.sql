-- The long table of all per-sample metrics; a metric that has a threshold in the spec is an issue from there on,
-- unless somebody took the suspicion back.
select
    measures.sample_id,
    measures.metric,
    least(greatest(measures.score, 0.0), 1.0) as score,
    measures.value,
    dismissed.sample_id is null
    and coalesce(measures.score >= thresholds.threshold, measures.is_issue, false) as is_issue
from measures
left join thresholds on thresholds.metric = measures.metric
left join dismissed on dismissed.sample_id = measures.sample_id and dismissed.metric = measures.metric
order by measures.sample_id, measures.metric
