-- One row per class: its size, and what the vectors say about it. `carriers` has a row for each class of each sample,
-- `class_vectors` one for each class that a sample with or without a vector carries, `training` one for each split
-- that is one of training, however it is called.
with

sizes as (
    select
        label,
        count(*) as n,
        case
            when (select count(split) from samples) > 0
                then count(*) filter (where split in (select t.split from training as t))
        end as n_train
    from carriers
    group by label
)

select
    sizes.label,
    sizes.n,
    sizes.n_train,
    class_vectors.noise,
    class_vectors.separability,
    class_vectors.purity,
    class_vectors.probe_accuracy,
    class_vectors.overlap_label,
    class_vectors.overlap,
    class_vectors.coverage,
    greatest(0.0, 1.0 - sizes.n / avg(sizes.n) over ()) as imbalance
from sizes
left join class_vectors on class_vectors.label = sizes.label
order by sizes.label
