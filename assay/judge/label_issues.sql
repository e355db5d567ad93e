-- What was found of each label; no issue where somebody confirmed it.
select
    label_findings.* exclude (is_issue),
    label_findings.is_issue and dismissed.sample_id is null as is_issue
from label_findings
left join dismissed on dismissed.sample_id = label_findings.sample_id and dismissed.metric = 'label_issue'
order by label_findings.sample_id
