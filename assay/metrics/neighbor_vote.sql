-- Per unit and label: the votes of the neighbours, each worth exp(−distance ÷ temperature), and of the unit's own
-- copies where those disagree. A neighbour whose copies carry several labels splits its vote.
with

ballots as (
    select edges.unit, cases.label, cases.share * exp(-edges.distance / $temperature) as weight
    from edges
    inner join cases on cases.unit = edges.neighbor
    where cases.label >= 0

    union all

    select cases.unit, cases.label, cases.share as weight
    from cases
    where cases.label >= 0 and cases.n_values > 1
)

select unit, label, sum(weight) as weight
from ballots
group by unit, label
order by unit, label
