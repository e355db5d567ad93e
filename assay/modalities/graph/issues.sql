-- Issues of single nodes: isolated_node, self_loop, repeated_edge, dangling_edge, hub, twin_node, unlike_neighbors,
-- bad_features.
--
-- With u = measure ÷ limit, such that u grows with the trouble and is 1 at the limit: score = 1 − 0.5 / u from the limit
-- on, 0.5 · u below it.
--
-- isolated_node     edges to other nodes; none is a score of 1
-- self_loop         edges to itself, limit 1
-- repeated_edge     edges given again, limit 1
-- dangling_edge     edges to nodes that are not there, limit 1
-- hub               logarithm of the degree from the median, in spreads of the graph; limit 6, of 20 edges at least
-- twin_node         other nodes tied to exactly the same ones, of 3 edges at least; limit 1
-- unlike_neighbors  share of the labelled neighbours with another label, of 3 at least; limit 0.9. Times how far labels
--                   in this graph agree along edges: (h − 0.25) / 0.25 between 0 and 1, with h the share of agreeing
--                   ones less what chance gives, as a part of the rest
-- bad_features      features that are no numbers, limit 1
--
-- A spread is 1.4826 times the median absolute deviation, at least 0.5. self_loop, repeated_edge, dangling_edge and
-- twin_node fade out where more than a quarter of the nodes are beyond their limit, from half on to nothing.
with facts as (
    select distinct on (samples.sample_id)
        samples.sample_id, samples.label, facts.*
    from samples
    inner join node_facts as facts on facts.content_hash = samples.content_hash
    order by samples.sample_id
),

spread as (
    select median(ln(degree)) as middle, greatest(1.4826 * mad(ln(degree)), 0.5) as width from facts where degree > 0
),

chance as (
    select coalesce(sum(share * share), 1.0) as agreed
    from (select count(*) / sum(count(*)) over () as share from facts where label is not null group by label)
),

agreement as (
    select
        least(greatest(((1.0 - sum(n_unlike) / nullif(sum(n_labelled), 0) - any_value(agreed))
            / nullif(1.0 - any_value(agreed), 0.0) - 0.25) / 0.25, 0.0), 1.0) as weight
    from facts
    cross join chance
    where label is not null
),

prevalent as (
    select
        least(greatest((0.5 - avg((n_loops > 0)::int)) / 0.25, 0.0), 1.0) as loops,
        least(greatest((0.5 - avg((n_repeated > 0)::int)) / 0.25, 0.0), 1.0) as repeated,
        least(greatest((0.5 - avg((n_dangling > 0)::int)) / 0.25, 0.0), 1.0) as dangling,
        least(greatest((0.5 - avg((n_twins > 0 and degree >= 3)::int)) / 0.25, 0.0), 1.0) as twins
    from facts
),

measured as (
    select
        sample_id, 'isolated_node' as metric, degree as value, case when degree = 0 then 1e9 else 0.0 end as ratio,
        1.0 as weight
    from facts
    union all
    select sample_id, 'self_loop', n_loops, n_loops, loops from facts cross join prevalent
    union all
    select sample_id, 'repeated_edge', n_repeated, n_repeated, repeated from facts cross join prevalent
    union all
    select sample_id, 'dangling_edge', n_dangling, n_dangling, dangling from facts cross join prevalent
    union all
    select sample_id, 'hub', degree, case when degree >= 20 then (ln(degree) - middle) / width / 6.0 else 0.0 end, 1.0
    from facts
    cross join spread
    union all
    select sample_id, 'twin_node', n_twins, case when degree >= 3 then n_twins else 0.0 end, twins
    from facts
    cross join prevalent
    union all
    select sample_id, 'unlike_neighbors', homophily, (1.0 - homophily) / 0.9, coalesce(weight, 0.0)
    from facts
    cross join agreement
    where homophily is not null and n_labelled >= 3
    union all
    select sample_id, 'bad_features', n_bad_features, n_bad_features, 1.0 from facts
)

select
    sample_id,
    metric,
    weight * case when ratio <= 1.0 then 0.5 * greatest(ratio, 0.0) else 1.0 - 0.5 / ratio end as score,
    value::double as value
from measured
order by metric, sample_id
