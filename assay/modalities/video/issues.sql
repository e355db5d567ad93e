-- Issues of single videos: damaged, black, motionless, frozen, time_gaps, time_jumps, letterboxed, silent, no_sound,
-- many_cuts, odd_duration, odd_size, odd_aspect, odd_rate.
--
-- With u = measure ÷ limit, or limit ÷ measure, such that u grows with the trouble and is 1 at the limit:
-- score = 1 − 0.5 / u from the limit on, 0.5 · u below it.
--
-- damaged       share of frames that are corrupt, limit 0.005; or of what is promised and missing, limit 0.02
-- black         share of frames that are black; limit 0.25
-- motionless    share of frames in which nothing has moved; limit 0.95
-- frozen        share of the time in which the picture of a moving video stands; limit 0.1
-- time_gaps     share of the time without frames; limit 0.05
-- time_jumps    share of frames that have no time, or none after the frame before; limit 0.01
-- letterboxed   share of the picture in black bars; limit 0.06
-- silent        share of the sound in which nothing is heard; limit 0.95
-- no_sound      share of the time without a track of sound; limit 0.5
-- many_cuts     cuts a minute, against the dataset; limit 30, or 4 times the median where that is more
-- odd_duration  how many times the median of the dataset, or a share of it; limit 4
-- odd_size      side of a square of the frame's area, the same way; limit 4
-- odd_aspect    width ÷ height, the same way; limit 2.5
-- odd_rate      frames a second, the same way; limit 2.5
--
-- What most of a dataset is like is no issue of a sample: all but damaged fade out where more than a quarter of the samples
-- are beyond the limit, from half on to nothing (prevalence.sql says so once).
with facts as (
    select
        samples.sample_id,
        any_value(greatest(facts.corrupt, facts.missing)) as damage,
        any_value(greatest(facts.corrupt / 0.005, facts.missing / 0.02)) as damage_ratio,
        any_value(facts.black) as black,
        any_value(facts.static) as static,
        any_value(facts.frozen) as frozen,
        any_value(facts.gaps) as gaps,
        any_value(facts.jumps) as jumps,
        any_value(facts.letterbox) as letterbox,
        any_value(facts.silence) as silence,
        any_value(
            case
                when not facts.has_sound then 1.0
                when facts.sound_seconds is null or facts.seconds <= 0 then 0.0
                else greatest(1.0 - facts.sound_seconds / facts.seconds, 0.0)
            end
        ) as without_sound,
        any_value(facts.n_cuts * 60.0 / greatest(facts.seconds, 1.0)) as cuts,
        any_value(facts.seconds) as seconds,
        any_value(sqrt(facts.width::double * facts.height)) as side,
        any_value(facts.width::double / facts.height) as aspect,
        any_value(facts.fps) as fps
    from samples
    inner join video_facts as facts on facts.content_hash = samples.content_hash
    group by samples.sample_id
),

typical as (
    select
        median(cuts) as cuts,
        median(seconds) as seconds,
        median(side) as side,
        median(aspect) as aspect,
        median(fps) as fps
    from facts
),

measured as (
    select sample_id, 'damaged' as metric, damage as value, damage_ratio as ratio from facts
    union all
    select sample_id, 'black', black, black / 0.25 from facts
    union all
    select sample_id, 'motionless', static, static / 0.95 from facts
    union all
    select sample_id, 'frozen', frozen, frozen / 0.1 from facts
    union all
    select sample_id, 'time_gaps', gaps, gaps / 0.05 from facts
    union all
    select sample_id, 'time_jumps', jumps, jumps / 0.01 from facts
    union all
    select sample_id, 'letterboxed', letterbox, letterbox / 0.06 from facts
    union all
    select sample_id, 'silent', silence, silence / 0.95 from facts where silence is not null
    union all
    select sample_id, 'no_sound', without_sound, without_sound / 0.5 from facts
    union all
    select facts.sample_id, 'many_cuts', facts.cuts, facts.cuts / greatest(30.0, 4.0 * typical.cuts)
    from facts
    cross join typical
    union all
    select
        facts.sample_id, 'odd_duration', facts.seconds,
        greatest(facts.seconds / typical.seconds, typical.seconds / greatest(facts.seconds, 0.001)) / 4.0
    from facts
    cross join typical
    where typical.seconds > 0
    union all
    select
        facts.sample_id, 'odd_size', facts.side, greatest(facts.side / typical.side, typical.side / facts.side) / 4.0
    from facts
    cross join typical
    union all
    select
        facts.sample_id, 'odd_aspect', facts.aspect,
        greatest(facts.aspect / typical.aspect, typical.aspect / facts.aspect) / 2.5
    from facts
    cross join typical
    union all
    select facts.sample_id, 'odd_rate', facts.fps, greatest(facts.fps / typical.fps, typical.fps / facts.fps) / 2.5
    from facts
    cross join typical
    where facts.fps > 0 and typical.fps > 0
),

weighted as (
    select
        sample_id,
        metric,
        value,
        ratio,
        case
            when metric = 'damaged' then 1.0
            else least(greatest((0.5 - avg((ratio >= 1.0)::int) over (partition by metric)) / 0.25, 0.0), 1.0)
        end as weight
    from measured
)

select
    sample_id,
    metric,
    weight * case when ratio <= 1.0 then 0.5 * greatest(ratio, 0.0) else 1.0 - 0.5 / ratio end as score,
    value
from weighted
order by metric, sample_id
