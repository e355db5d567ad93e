-- What users and items are like as a whole, as rows of `dataset_metrics`.
with facts as (
    select distinct on (samples.sample_id) samples.sample_id, facts.*
    from samples
    inner join interaction_facts as facts on facts.content_hash = samples.content_hash
    order by samples.sample_id
),

items as (
    select
        n_interactions,
        row_number() over (order by n_interactions, sample_id) as place,
        count(*) over () as n,
        sum(n_interactions) over () as total
    from facts
    where kind = 'item'
),

counted as (
    select
        sum((kind = 'user')::int) as users,
        sum((kind = 'item')::int) as items,
        sum(case when kind = 'user' then n_partners else 0 end) as pairs
    from facts
)

select 'n_users' as metric, users::double as value, 'users, those without an interaction among them' as note from counted
union all
select 'n_items', items::double, 'items, those that nobody took among them' from counted
union all
select 'interactions', sum(n_interactions)::double, 'rows of the table' from facts where kind = 'user'
union all
select 'interaction_density', pairs / nullif(users * items, 0)::double, 'share of all pairs of user and item' from counted
union all
select
    'popularity_gini', sum((2 * place - n - 1) * n_interactions) / nullif(any_value(n) * any_value(total), 0)::double,
    'Gini coefficient of how often items are taken: 0 all alike, 1 all of it one item'
from items
union all
select
    'popularity_top', sum(case when place > 0.99 * n then n_interactions else 0 end) / nullif(any_value(total), 0)::double,
    'share of the interactions that the most popular hundredth of the items takes'
from items
union all
select
    'cold_' || kind || 's', sum((n_partners <= 2)::int)::double,
    case kind when 'user' then 'users with at most two items' else 'items that at most two users took' end
from facts
group by kind
union all
select
    'interactions_after_test', sum(n_after_test)::double,
    'of a training split, after the same user''s first one of a test split: a model is told the future'
from facts
where kind = 'user'
having sum(n_after_test) > 0
