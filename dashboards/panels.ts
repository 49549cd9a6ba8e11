import { PanelBuilder as BarGaugeBuilder } from '@grafana/grafana-foundation-sdk/bargauge'
import {
  BarGaugeDisplayMode,
  BigValueColorMode,
  BigValueGraphMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  TooltipDisplayMode,
  VizOrientation,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
  VisibilityMode,
} from '@grafana/grafana-foundation-sdk/common'
import {
  MappingType,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMap,
} from '@grafana/grafana-foundation-sdk/dashboard'
import {
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  PanelBuilder as HeatmapBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap'
import { PanelBuilder as StateTimelineBuilder } from '@grafana/grafana-foundation-sdk/statetimeline'
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table'
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries'
import { DATASOURCE } from './influx-query.ts'

/** Grafana's grid has 24 columns. */
export const FULL_WIDTH = 24
export const THIRD = FULL_WIDTH / 3
const HALF = FULL_WIDTH / 2
const SIXTH = FULL_WIDTH / 6

export const OK = 'green'
export const CAUTION = 'orange'
export const OVER = 'red'
/** Neither good nor bad, and never to be taken for either. */
export const UNKNOWN = 'purple'
/** Stats that say "now" look at the last minute whatever the board shows. */
export const NOW = '1m'

/** One figure, coloured by its thresholds; the figure says it too. */
export function stat(id: number, title: string, description: string): StatBuilder {
  return new StatBuilder()
    .id(id)
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .span(SIXTH)
    .height(4)
    .noValue('nothing measured')
    .colorMode(BigValueColorMode.Background)
    .graphMode(BigValueGraphMode.None)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
}

/** Lines over time, with a gap where nothing was measured. */
export function series(id: number, title: string, description: string): TimeseriesBuilder {
  return new TimeseriesBuilder()
    .id(id)
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .span(HALF)
    .height(8)
    .min(0)
    .lineWidth(2)
    .fillOpacity(8)
    .spanNulls(false)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(['max', 'lastNotNull']),
    )
    .tooltip(
      new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending),
    )
}

/** A band per thing, a colour and a word per state; blank where nothing was measured. */
export function timeline(id: number, title: string, description: string): StateTimelineBuilder {
  return new StateTimelineBuilder()
    .id(id)
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .span(FULL_WIDTH)
    .height(8)
    .showValue(VisibilityMode.Auto)
    .mergeValues(true)
    .fillOpacity(80)
    .lineWidth(0)
    .spanNulls(false)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    )
}

/** What people read instead of a stored value, and its colour. */
export function words(
  all: Readonly<Record<string, readonly [text: string, color: string]>>,
): [ValueMap] {
  const options = Object.entries(all).map(
    ([value, [text, color]], index) => [value, { text, color, index }] as const,
  )
  return [{ type: MappingType.ValueToText, options: Object.fromEntries(options) }]
}

/** Colours from these values on; the first is from minus infinity. */
export function thresholds(
  ...all: readonly (readonly [number | null, string])[]
): ThresholdsConfigBuilder {
  return new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps(all.map(([value, color]) => ({ value, color })))
}

/** The limit drawn as a dashed line. */
export function limitLine(): GraphThresholdsStyleConfigBuilder {
  return new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed)
}

/** Rows and columns; a dash where nothing was measured. */
export function table(id: number, title: string, description: string): TableBuilder {
  return new TableBuilder()
    .id(id)
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .span(FULL_WIDTH)
    .height(10)
    .noValue('–')
}

/** A bar per column, over all of the time the board shows. */
export function bars(id: number, title: string, description: string): BarGaugeBuilder {
  return new BarGaugeBuilder()
    .id(id)
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .span(HALF)
    .height(9)
    .min(0)
    .noValue('nothing measured')
    .orientation(VizOrientation.Horizontal)
    .displayMode(BarGaugeDisplayMode.Basic)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
}

/** A column per step, a cell per series in the order of the query: the darker, the more. */
export function heatmap(id: number, title: string, description: string): HeatmapBuilder {
  return new HeatmapBuilder()
    .id(id)
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .span(HALF)
    .height(9)
    .calculate(false)
    .color(new HeatmapColorOptionsBuilder().mode(HeatmapColorMode.Scheme).scheme('Blues').steps(64))
}
