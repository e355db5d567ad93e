-- One row per value of each group column. `attributes` is long: sample_id, column, value.
with

issues as (
    select
        sample_id,
        max(case when metric = 'label_issue' and is_issue then 1 else 0 end) as label_issue,
        max(case when metric = 'outlier' and is_issue then 1 else 0 end) as outlier,
        max(case when metric = 'duplicate' and is_issue then 1 else 0 end) as duplicate
    from scores
    where metric in ('label_issue', 'outlier', 'duplicate')
    group by sample_id
),

counted as (
    select
        attributes."column",
        attributes.value,
        count(*) as n,
        avg(coalesce(issues.label_issue, 0)) as label_issue_rate,
        avg(coalesce(issues.outlier, 0)) as outlier_rate,
        avg(coalesce(issues.duplicate, 0)) as duplicate_rate
    from attributes
    left join issues on issues.sample_id = attributes.sample_id
    group by attributes."column", attributes.value
)

select
    counted."column",
    counted.value,
    counted.n,
    counted.n / (select greatest(count(*), 1) from samples) as share,
    counted.label_issue_rate,
    counted.outlier_rate,
    counted.duplicate_rate,
    group_measures.probe_auc,
    group_measures.probe_accuracy
from counted
left join group_measures
    on group_measures."column" = counted."column" and group_measures.value = counted.value
order by counted."column", counted.value
