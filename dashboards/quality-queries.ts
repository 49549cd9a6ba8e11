import { SITES } from './influx-query.ts'

/** What the queries of the quality board have in common. */

/** Ratios are sums divided. `1.0 *` because InfluxDB types a division of integers inside a subquery as an integer: 8 % would come out as 0. */
export const LOSS = '1.0 * sum("lost_unique") / sum("expected")'
export const EFFECTIVE_LOSS = '1.0 * sum("effective_lost") / sum("effective_expected")'

const ENDS = `${SITES} AND "from" =~ /^\${from:regex}$/ AND "to" =~ /^\${to:regex}$/`
/** A point per judged interval of a path: few, however many calls there are. */
export const PATHS = `${ENDS} AND "source" =~ /^\${source:regex}$/`
/** A point per stream and interval: many. */
export const STREAMS = ENDS

export const BY_PATH = '"from", "to", "at", "source"'
export const PATH_NAME = '$tag_from → $tag_to at $tag_at ($tag_source)'

/** A MOS compares within its scale only: each has panels of its own. */
export const MOS_SCALES = ['narrowband', 'wideband', 'fullband'] as const
