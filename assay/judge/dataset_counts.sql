-- The headline counts and rates, one row each.
with

counts as (
    select
        count(*) as n_samples,
        count(label) as n_labeled,
        count(distinct label) as n_classes
    from samples
),

per_metric as (
    select metric, count(*) filter (where is_issue) as n from scores group by metric
),

sizes as (select count(*) as n from samples where label is not null group by label),

entropy as (
    select -sum((n / total) * ln(n / total)) as nats, count(*) as n_classes
    from (select n, sum(n) over () as total from sizes)
)

select 'n_samples' as metric, n_samples::double as value, null::varchar as note from counts
union all
select 'n_labeled', n_labeled, null from counts
union all
select 'n_classes', n_classes, null from counts
union all
select 'duplicate_rate', coalesce((select n from per_metric where metric = 'duplicate'), 0) / greatest(n_samples, 1),
    'share of the samples that a kept one makes superfluous' from counts
union all
select 'leak_rate', coalesce((select n from per_metric where metric = 'leak'), 0) / greatest(n_samples, 1),
    'share of the samples with a duplicate in another split' from counts
union all
select 'outlier_rate', coalesce((select n from per_metric where metric = 'outlier'), 0) / greatest(n_samples, 1),
    null from counts
union all
select 'label_issue_rate',
    case when n_labeled > 0
        then coalesce((select n from per_metric where metric = 'label_issue'), 0) / n_labeled end,
    'share of the labelled samples that are flagged' from counts
union all
select 'label_conflict_rate',
    case when n_labeled > 0
        then coalesce((select n from per_metric where metric = 'label_conflict'), 0) / n_labeled end,
    'share of the labelled samples with a duplicate of another label' from counts
union all
select 'class_imbalance', case when n_classes > 1 then 1 - nats / ln(n_classes) end,
    '1 − normalised entropy of the class sizes; 0 is balanced' from entropy
order by metric
