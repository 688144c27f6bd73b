interface Point {
  readonly at: number
  readonly value: number
}

/** The slope of the line that fits best (least squares). */
export function findSlope(points: readonly Point[]): number {
  const [at, value] = [mean(points.map((point) => point.at)), mean(points.map((point) => point.value))]
  let [both, own] = [0, 0]
  for (const point of points) {
    both += (point.at - at) * (point.value - value)
    own += (point.at - at) ** 2
  }
  return both / own
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
