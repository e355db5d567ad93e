-- The numbers that stand at the top of everything: metric, value. Gates may name them, as any of `dataset_metrics`.
with
    counts as (
        select 'n_samples' as metric, count(*)::double as value from samples
        union all
        select 'n_rejects', count(*) from rejects
        union all
        select 'n_duplicates', count(*) from duplicates where not keep
        union all
        select 'n_leaks', count(*) from leaks
        union all
        select 'n_label_issues', count(*) from label_issues where is_issue
        union all
        select 'n_outliers', count(*) from scores where metric = 'outlier' and is_issue
    )
select metric, value from counts
order by metric
