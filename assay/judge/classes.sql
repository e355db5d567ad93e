-- One row per class: what was measured of it, and how many of its samples look wrong in it. `class_flags` has a row for
-- each class of each sample that looks wrong, `dismissed` one for each suspicion that somebody took back.
with

issues as (
    select class_flags.label, count(*) as n_issues
    from class_flags
    left join dismissed on dismissed.sample_id = class_flags.sample_id and dismissed.metric = 'label_issue'
    where dismissed.sample_id is null
    group by class_flags.label
)

select class_measures.*, coalesce(issues.n_issues, 0) as n_issues
from class_measures
left join issues on issues.label = class_measures.label
order by class_measures.label
