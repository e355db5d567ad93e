-- Issues of single users and items: cold_start, power_user, robotic, repeated_pair, twin_item, odd_value, time_leak,
-- unlisted_item.
--
-- With u = measure ÷ limit, such that u grows with the trouble and is 1 at the limit: score = 1 − 0.5 / u from the limit
-- on, 0.5 · u below it.
--
-- cold_start     2 ÷ items that a user took, or users that took an item: at most two is cold; none is a score of 1
-- power_user     logarithm of the user's interactions from the median of all users, in spreads; limit 5, of 100 at least
-- robotic        of users with ten times or more: 0.1 ÷ the spread of the gaps between two (÷ their mean): as regular as
--                a clock; limit 1
-- repeated_pair  its interactions that repeat one of the same user and item, as a share; limit 0.2
-- twin_item      other items that exactly the same users took, of 3 at least; limit 1
-- odd_value      its interactions whose value is beyond what values are here, limit 1
-- time_leak      its interactions of a training split that come after its first one of a test split, limit 1
-- unlisted_item  interactions of an item that the table of items does not name, limit 1
--
-- A spread is 1.4826 times the median absolute deviation, at least 0.5. cold_start, repeated_pair, twin_item and
-- unlisted_item fade out where more than a quarter of the users, or items, are beyond their limit, from half on to
-- nothing.
with facts as (
    select distinct on (samples.sample_id) samples.sample_id, facts.*
    from samples
    inner join interaction_facts as facts on facts.content_hash = samples.content_hash
    order by samples.sample_id
),

spread as (
    select
        median(ln(n_interactions)) as middle,
        greatest(1.4826 * mad(ln(n_interactions)), 0.5) as width
    from facts
    where kind = 'user' and n_interactions > 0
),

prevalent as (
    select
        kind,
        least(greatest((0.5 - avg((n_partners <= 2)::int)) / 0.25, 0.0), 1.0) as cold,
        least(greatest((0.5 - avg((n_repeated > 0)::int)) / 0.25, 0.0), 1.0) as repeated,
        least(greatest((0.5 - avg((n_twins > 0 and n_partners >= 3)::int)) / 0.25, 0.0), 1.0) as twins,
        least(greatest((0.5 - avg((n_unlisted > 0)::int)) / 0.25, 0.0), 1.0) as unlisted
    from facts
    group by kind
),

measured as (
    select
        sample_id, 'cold_start' as metric, n_partners as value,
        case when n_partners = 0 then 1e9 else 2.0 / n_partners end as ratio,
        case when n_partners = 0 then 1.0 else cold end as weight
    from facts
    inner join prevalent using (kind)
    union all
    select
        sample_id, 'power_user', n_interactions,
        case when n_interactions >= 100 then (ln(n_interactions) - middle) / width / 5.0 else 0.0 end, 1.0
    from facts
    cross join spread
    where kind = 'user'
    union all
    select sample_id, 'robotic', gap_spread, case when gap_spread > 0 then 0.1 / gap_spread else 1e9 end, 1.0
    from facts
    where kind = 'user' and gap_spread is not null
    union all
    select sample_id, 'repeated_pair', n_repeated, n_repeated / n_interactions / 0.2, repeated
    from facts
    inner join prevalent using (kind)
    where n_interactions > 0
    union all
    select sample_id, 'twin_item', n_twins, case when n_partners >= 3 then n_twins else 0.0 end, twins
    from facts
    inner join prevalent using (kind)
    where kind = 'item'
    union all
    select sample_id, 'odd_value', n_odd_values, n_odd_values, 1.0 from facts
    union all
    select sample_id, 'time_leak', n_after_test, n_after_test, 1.0 from facts
    union all
    select sample_id, 'unlisted_item', n_unlisted, n_unlisted, unlisted
    from facts
    inner join prevalent using (kind)
    where kind = 'item'
)

select
    sample_id,
    metric,
    weight * case when ratio <= 1.0 then 0.5 * greatest(ratio, 0.0) else 1.0 - 0.5 / ratio end as score,
    value::double as value
from measured
order by metric, sample_id
