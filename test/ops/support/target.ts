/** Prints the one line of a target: its id, what it promises, and what was measured. Called when every check of it has passed. */
export function reportTarget(id: string, promise: string, measured: Readonly<Record<string, string | number>>): void {
  const values = Object.entries(measured).map(([name, value]) => `${name} ${typeof value === 'number' ? round(value) : value}`)
  console.log(`${id} ${promise} passed: ${values.join(', ')}`)
}

function round(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString('en') : value.toFixed(1)
}
