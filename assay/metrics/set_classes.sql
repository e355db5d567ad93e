-- One row per class of labels that are sets: its size, its issues, and what the vectors say about it. `carriers` has a
-- row for each class of each sample, `class_flags` one for each of them that looks wrong.
with

sizes as (
    select
        label,
        count(*) as n,
        case when (select count(split) from samples) > 0 then count(*) filter (where split = 'train') end as n_train
    from carriers
    group by label
),

issues as (select label, count(*) as n_issues from class_flags group by label)

select
    sizes.label,
    sizes.n,
    sizes.n_train,
    class_vectors.noise,
    coalesce(issues.n_issues, 0) as n_issues,
    null::double as separability,
    class_vectors.purity,
    class_vectors.probe_accuracy,
    null::varchar as overlap_label,
    null::double as overlap,
    class_vectors.coverage,
    greatest(0.0, 1.0 - sizes.n / avg(sizes.n) over ()) as imbalance
from sizes
left join issues on issues.label = sizes.label
left join class_vectors on class_vectors.label = sizes.label
order by sizes.label
