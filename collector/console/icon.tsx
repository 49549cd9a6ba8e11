import type { Tone } from './verdict.ts'

const SHAPES: Readonly<Record<Tone | 'assumed', string>> = {
  // a disc with a tick
  ok: 'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Zm-1.6 14.6-4.2-4.2 1.7-1.7 2.5 2.5 5.7-5.7 1.7 1.7Z',
  // a triangle with an exclamation mark
  over: 'M12 1.8 0.8 21.5h22.4L12 1.8Zm-1.2 6.9h2.4v6.6h-2.4V8.7Zm0 8.2h2.4v2.4h-2.4v-2.4Z',
  // a lozenge with an exclamation mark
  caution: 'M12 0.8 0.8 12 12 23.2 23.2 12 12 0.8ZM10.8 6.6h2.4v7h-2.4v-7Zm0 8.4h2.4v2.4h-2.4V15Z',
  // a ring with a dash in it
  unknown:
    'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Zm0 2.4a7.6 7.6 0 1 1 0 15.2 7.6 7.6 0 0 1 0-15.2ZM7.5 10.8h9v2.4h-9v-2.4Z',
  // a small ring
  assumed: 'M12 6a6 6 0 1 0 0 12 6 6 0 0 0 0-12Zm0 2.2a3.8 3.8 0 1 1 0 7.6 3.8 3.8 0 0 1 0-7.6Z',
}

/** Says with its shape what the colour says; the words beside it say it too, so it is hidden from screen readers. */
export function Icon({ tone }: { readonly tone: Tone | 'assumed' }) {
  return (
    <svg class={`icon tone-${tone}`} viewBox="0 0 24 24" aria-hidden="true">
      <Shape look={tone} />
    </svg>
  )
}

/** The same within a drawing: 24 by 24. */
export function Shape({ look }: { readonly look: Tone | 'assumed' }) {
  return <path class="shape" d={SHAPES[look]} fill-rule="evenodd" />
}
