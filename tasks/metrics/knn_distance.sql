-- Mean cosine distance of each unit to its nearest neighbours, leaving out those of its own little cluster.
select unit, avg(distance) as value
from edges
where rank <= $neighbors
group by unit
order by unit
