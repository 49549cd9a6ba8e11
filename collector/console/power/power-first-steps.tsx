/** What to do when nothing is drawn yet. */
export function PowerFirstSteps() {
  return (
    <section aria-labelledby="draw-title">
      <h2 id="draw-title">Draw what calling depends on</h2>
      <div class="empty">
        <p>
          Kiestoon can say which UPS feeds which calls, what stops when one thing fails, and how
          many minutes are left, once somebody has written down what needs what. A few lines are
          enough to begin with, in the site file that the collector reads (<code>site-file</code> in{' '}
          <code>collector.yaml</code>):
        </p>
        <pre class="example">
          <code>{EXAMPLE}</code>
        </pre>
        <ol>
          <li>
            Begin at the telephone and walk towards the mains: what does it need? Its switch. And
            the switch? A PDU, a UPS, a fuse.
          </li>
          <li>
            Have the file checked, and see what it says of your site:
            <code>kiestoon-collector power --site site.yaml</code>
          </li>
          <li>
            Save it: the collector reads it again by itself, and the chain appears here. The places,
            circuits and owners you add are printed in every message.
          </li>
        </ol>
        <p>
          A larger example with batteries, two feeds and groups: <code>site.example.yaml</code>,
          beside the collector.
        </p>
      </div>
    </section>
  )
}

const EXAMPLE = `components:
  ups-1: { kind: ups, needs: [mains], watch: { measurement: ups, target: ups-1 } }
  mains: { kind: mains }
services:
  emergency-112: { needs: [ups-1], hold-up: 60min }`
