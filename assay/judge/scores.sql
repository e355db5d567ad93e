-- The long table of all per-sample metrics; a metric that has a threshold in the spec is an issue from there on,
-- unless somebody took the suspicion back. A sample keeps last night's verdict unless the evidence is clear.
select
    measures.sample_id,
    measures.metric,
    least(greatest(measures.score, 0.0), 1.0) as score,
    measures.value,
    dismissed.sample_id is null
    and case last_verdicts.was_issue
        when true
            then coalesce(measures.score >= thresholds.threshold - thresholds.leeway, measures.stays, measures.is_issue, false)
        when false
            then coalesce(measures.score >= thresholds.threshold + thresholds.leeway, measures.starts, measures.is_issue, false)
        else coalesce(measures.score >= thresholds.threshold, measures.is_issue, false)
    end as is_issue
from measures
left join thresholds on thresholds.metric = measures.metric
left join last_verdicts on last_verdicts.sample_id = measures.sample_id and last_verdicts.metric = measures.metric
left join dismissed on dismissed.sample_id = measures.sample_id and dismissed.metric = measures.metric
order by measures.sample_id, measures.metric
