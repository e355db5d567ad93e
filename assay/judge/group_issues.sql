-- How often each issue is flagged within each value of a group column, and among the samples with another value.
-- `attributes` is long: sample_id, column, value.
with

flagged as (
    select distinct sample_id, metric from scores where is_issue
),

sizes as (
    select "column", value, count(*) as n from attributes group by "column", value
),

totals as (
    select "column", sum(n) as n from sizes group by "column"
),

counted as (
    select attributes."column", attributes.value, flagged.metric, count(*) as n_issues
    from attributes
    inner join flagged on flagged.sample_id = attributes.sample_id
    group by attributes."column", attributes.value, flagged.metric
),

of_metric as (
    select "column", metric, sum(n_issues) as n_issues from counted group by "column", metric
),

cells as (
    select
        sizes."column",
        sizes.value,
        of_metric.metric,
        sizes.n,
        totals.n as n_all,
        of_metric.n_issues as n_issues_all,
        coalesce(counted.n_issues, 0) as n_issues
    from sizes
    inner join totals on totals."column" = sizes."column"
    inner join of_metric on of_metric."column" = sizes."column"
    left join counted
        on counted."column" = sizes."column"
        and counted.value = sizes.value
        and counted.metric = of_metric.metric
)

select
    "column",
    value,
    metric,
    n_issues::bigint as n_issues,
    n_issues / n as rate,
    case when n_all > n then (n_issues_all - n_issues) / (n_all - n) end as rate_elsewhere
from cells
order by "column", value, metric
