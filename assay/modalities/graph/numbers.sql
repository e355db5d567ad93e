-- What the graph as a whole is like, as rows of `dataset_metrics`.
with facts as (
    select distinct on (samples.sample_id)
        samples.sample_id, samples.label, facts.*
    from samples
    inner join node_facts as facts on facts.content_hash = samples.content_hash
    order by samples.sample_id
),

classes as (
    select label, sum(n_unlike) / nullif(sum(n_labelled), 0) as unlike
    from facts
    where label is not null
    group by label
)

select 'graph_edges' as metric, sum(degree) / 2.0 as value, 'pairs of nodes that an edge ties' as note from facts
union all
select 'graph_components', max(component)::double, 'connected components, nodes without an edge among them' from facts
union all
select
    'graph_largest_component', max(component_size)::double / nullif(count(*), 0),
    'share of the nodes in the largest component'
from facts
union all
select 'graph_isolated', sum((degree = 0)::int)::double, 'nodes without an edge to another; they have no vector' from facts
union all
select 'graph_mean_degree', avg(degree)::double, 'nodes that a node is tied to' from facts
union all
select
    'graph_homophily', 1.0 - sum(n_unlike) / nullif(sum(n_labelled), 0)::double,
    'share of the ends of edges whose other end has the same label'
from facts
where label is not null
union all
select 'graph_homophily:' || label, 1.0 - unlike, 'the same, of the nodes of one class' from classes where unlike is not null
union all
select 'graph_likeness', avg(likeness), 'mean cosine of the features of nodes and those that they are tied to' from facts
