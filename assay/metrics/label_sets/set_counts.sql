-- The headline numbers about classes where labels are sets: each class counts once for every sample that carries it.
with

sizes as (select count(*) as n from carriers group by label),

entropy as (
    select -sum((n / total) * ln(n / total)) as nats, count(*) as n_classes
    from (select n, sum(n) over () as total from sizes)
)

select 'n_classes' as metric, count(*)::double as value, null::varchar as note from sizes
union all
select 'class_imbalance', case when n_classes > 1 then 1 - nats / ln(n_classes) end,
    '1 − normalised entropy of the class sizes; 0 is balanced' from entropy
union all
select 'classes_per_sample', (select count(*) from carriers) / nullif(count(label), 0),
    'mean over the labelled samples' from samples
order by metric
