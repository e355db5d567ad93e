-- One row per label: its size, its issues, and what the vectors say about it.
with

sizes as (
    select
        label,
        count(*) as n,
        case when count(split) > 0 or (select count(split) from samples) > 0
            then count(*) filter (where split = 'train') end as n_train
    from samples
    where label is not null
    group by label
),

issues as (
    select label, count(*) filter (where is_issue) as n_issues
    from label_issues
    where label is not null
    group by label
),

noise as (
    select label, least(1.0, sum(rate)) as noise from label_noise where label != true_label group by label
),

measured as (select distinct label from label_noise)

select
    sizes.label,
    sizes.n,
    sizes.n_train,
    case when measured.label is not null then coalesce(noise.noise, 0.0) end as noise,
    coalesce(issues.n_issues, 0) as n_issues,
    class_vectors.separability,
    class_vectors.purity,
    class_vectors.probe_accuracy,
    class_vectors.overlap_label,
    class_vectors.overlap,
    class_vectors.coverage,
    greatest(0.0, 1.0 - sizes.n / avg(sizes.n) over ()) as imbalance
from sizes
left join issues on issues.label = sizes.label
left join noise on noise.label = sizes.label
left join measured on measured.label = sizes.label
left join class_vectors on class_vectors.label = sizes.label
order by sizes.label
