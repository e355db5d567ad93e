-- What was found of each label, with the verdict of `scores`. One that is no issue by itself and stays one has the other
-- suggestion.
with

verdicts as (
    select sample_id, is_issue
    from scores
    where metric = 'label_issue'
),

judged as (
    select label_findings.*, coalesce(verdicts.is_issue, false) as verdict
    from label_findings
    left join verdicts on verdicts.sample_id = label_findings.sample_id
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
