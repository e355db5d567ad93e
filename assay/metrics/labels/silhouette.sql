-- Per labelled case: silhouette (Rousseeuw 1987) on the kNN graph, and the share of neighbours with its label.
-- The mean distance to the nearest other class among the neighbours against that to its own; a class with no
-- neighbour there counts as far as the farthest one, or as two units typically are, whichever is more.
with

near as (
    select cases.unit, cases.label, edges.distance, other.label as other_label, other.share
    from cases
    inner join edges on edges.unit = cases.unit
    inner join cases as other on other.unit = edges.neighbor
    where cases.label >= 0 and other.label >= 0
),

by_label as (
    select unit, label, other_label, sum(distance * share) / sum(share) as distance, sum(share) as votes
    from near
    group by unit, label, other_label
),

farthest as (
    select unit, max(distance) as distance from edges group by unit
),

summary as (
    select
        by_label.unit,
        by_label.label,
        coalesce(min(by_label.distance) filter (where other_label = label), greatest(any_value(farthest.distance), $typical)) as own,
        coalesce(min(by_label.distance) filter (where other_label != label), greatest(any_value(farthest.distance), $typical)) as nearest,
        coalesce(sum(votes) filter (where other_label = label), 0) / sum(votes) as purity
    from by_label
    inner join farthest on farthest.unit = by_label.unit
    group by by_label.unit, by_label.label
)

select
    unit,
    label,
    case when greatest(own, nearest) > 0 then (nearest - own) / greatest(own, nearest) else 0.0 end as silhouette,
    least(greatest(purity, 0.0), 1.0) as purity
from summary
order by unit, label
