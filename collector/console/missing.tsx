/** A dash where something was not measured, and why. */
export function Missing({ why }: { readonly why: string }) {
  return (
    <span class="missing" title={why}>
      <span aria-hidden="true">–</span>
      <span class="visually-hidden">{why}</span>
    </span>
  )
}
