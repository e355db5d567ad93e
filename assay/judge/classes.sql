-- One row per class: what was measured of it, and how many of its samples look wrong in it. `class_flags` has a row for
-- each class of each sample that may look wrong, `label_issues` the verdict on each sample.
with

issues as (
    select class_flags.label, count(*) as n_issues
    from class_flags
    inner join label_issues on label_issues.sample_id = class_flags.sample_id
    where label_issues.is_issue
    group by class_flags.label
)

select class_measures.*, coalesce(issues.n_issues, 0) as n_issues
from class_measures
left join issues on issues.label = class_measures.label
order by class_measures.label
