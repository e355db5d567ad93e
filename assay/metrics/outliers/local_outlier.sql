-- How much farther a unit lies from its neighbours than they lie from theirs (a simplified local outlier factor,
-- Breunig et al. 2000): its mean neighbour distance ÷ the mean of its neighbours' own.
with

own as (
    select unit, avg(distance) as distance
    from edges
    where rank <= $neighbors
    group by unit
),

around as (
    select edges.unit, avg(own.distance) as distance
    from edges
    inner join own on own.unit = edges.neighbor
    where edges.rank <= $neighbors
    group by edges.unit
)

select own.unit, own.distance / (around.distance + $floor) as value
from own
inner join around on around.unit = own.unit
order by own.unit
