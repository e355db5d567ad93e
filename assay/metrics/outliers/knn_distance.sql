-- Mean cosine distance of each unit to its nearest neighbours.
select unit, avg(distance) as value
from edges
where rank <= $neighbors
group by unit
order by unit
