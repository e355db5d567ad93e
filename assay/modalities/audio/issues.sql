-- Issues of single sounds: clipped, silent, noisy, muffled, dropouts, cut_off, dc_offset, channel_fault, out_of_range,
-- damaged, odd_duration, odd_loudness.
--
-- Scores are linear on both sides of a fixed limit, which scores 0.5.
-- clipped         share of samples in runs at the clip's own ceiling; limit 0.001
-- silent          share of frames without sound; limit 0.95
-- noisy           loud frames over quiet ones in dB, little is bad; limit 10
-- muffled         highest frequency with energy, as a share of what the rate allows; limit 0.35
-- dropouts        share of the clip in which the signal stands still; limit 0.002
-- cut_off         loudness of the first or last 5 ms, as a share of the loud parts; limit 0.5
-- dc_offset       mean of the signal; limit 0.01
-- channel_fault   two channels that are copies, or in anti-phase; limit a correlation of 0.9999, or of -0.95
-- out_of_range    share of samples beyond full scale, NaN or infinite; any is an issue, 0.5 and up
-- damaged         share of the samples that the header promises and the file lacks; limit 0.005
-- odd_duration    against the dataset: how many times the median, or a share of it; limit 4 times
-- odd_loudness    against the dataset: decibels from the median; limit 20
--
-- What most of a dataset is like is no issue of a sample: all but damaged and out_of_range fade out where more than a
-- quarter of the samples are beyond the limit, from half on to nothing (prevalence.sql says so once).
with facts as (
    select samples.sample_id, facts.* exclude (content_hash, spectrogram, thumbnail, sound_hash)
    from samples
    inner join audio_facts as facts on facts.content_hash = samples.content_hash
),

typical as (
    select median(seconds) as seconds, median(loudness_db) as loudness_db from facts where silence < 0.95
),

measured as (
    select sample_id, 'clipped' as metric, clipped as value, clipped / 0.001 as ratio from facts
    union all
    select sample_id, 'silent', silence, silence / 0.95 from facts
    union all
    select sample_id, 'noisy', snr_db, 10.0 / greatest(snr_db, 0.1) from facts where silence < 0.95
    union all
    select sample_id, 'muffled', bandwidth, 0.35 / greatest(bandwidth, 0.001) from facts where silence < 0.95
    union all
    select sample_id, 'dropouts', dropouts, dropouts / 0.002 from facts
    union all
    select sample_id, 'cut_off', greatest(starts_abruptly, ends_abruptly), greatest(starts_abruptly, ends_abruptly) / 0.5
    from facts
    union all
    select sample_id, 'dc_offset', dc_offset, dc_offset / 0.01 from facts
    union all
    select
        sample_id, 'channel_fault', channel_correlation,
        case when channel_correlation > 0 then (1.0 - 0.9999) / greatest(1.0 - channel_correlation, 0.00001)
        else -channel_correlation / 0.95 end
    from facts
    where channel_correlation is not null
    union all
    select
        sample_id, 'out_of_range', greatest(over_one, not_finite),
        case when greatest(over_one, not_finite) > 0 then 1.0 + greatest(over_one, not_finite) else 0.0 end
    from facts
    union all
    select sample_id, 'damaged', missing, missing / 0.005 from facts
    union all
    select
        facts.sample_id, 'odd_duration', facts.seconds,
        greatest(facts.seconds / typical.seconds, typical.seconds / greatest(facts.seconds, 0.001)) / 4.0
    from facts
    cross join typical
    where typical.seconds > 0
    union all
    select
        facts.sample_id, 'odd_loudness', facts.loudness_db, abs(facts.loudness_db - typical.loudness_db) / 20.0
    from facts
    cross join typical
    where typical.loudness_db is not null and facts.silence < 0.95
),

weighted as (
    select
        sample_id,
        metric,
        value,
        ratio,
        case
            when metric in ('damaged', 'out_of_range') then 1.0
            else least(greatest((0.5 - avg((ratio >= 1.0)::int) over (partition by metric)) / 0.25, 0.0), 1.0)
        end as weight
    from measured
)

select
    sample_id,
    metric,
    -- below the limit half the ratio, above it what is left to 1 halves with each further multiple
    weight * case when ratio <= 1.0 then 0.5 * greatest(ratio, 0.0) else 1.0 - 0.5 / ratio end as score,
    value
from weighted
order by metric, sample_id
