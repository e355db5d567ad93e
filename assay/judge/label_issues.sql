-- What was found of each label; no issue where somebody confirmed it. A label that was judged last night keeps its
-- verdict unless the evidence is clear; one that is no issue by itself and stays one has the other suggestion.
with

judged as (
    select
        label_findings.*,
        dismissed.sample_id is null
        and case last_verdicts.was_issue
            when true then label_findings.stays
            when false then label_findings.starts
            else label_findings.is_issue
        end as verdict
    from label_findings
    left join last_verdicts
        on last_verdicts.sample_id = label_findings.sample_id and last_verdicts.metric = 'label_issue'
    left join dismissed on dismissed.sample_id = label_findings.sample_id and dismissed.metric = 'label_issue'
)

select
    sample_id,
    label,
    case when verdict and not is_issue then other_label else suggested_label end as suggested_label,
    case when verdict and not is_issue then other_confidence else confidence end as confidence,
    score,
    verdict as is_issue
from judged
order by sample_id
