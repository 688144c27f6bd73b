export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'literal'

/** Where a value stands in the text, and for containers near the root what is in them. */
export interface JsonOutline {
  readonly kind: JsonKind
  readonly start: number
  /** Index behind the last character. */
  readonly end: number
  /** Members of an object above the outline's depth. */
  readonly members: JsonMembers | undefined
  /** Items of an array above the outline's depth; undefined also where there are more than the outline lists. */
  readonly items: readonly JsonOutline[] | undefined
}

/** Up to this many members are found faster one after the other than by hashing their names. */
const FEW_MEMBERS = 20

/** A value, and as a member of an object its name and the next member: a list for each object would cost more than all of its members. */
export interface JsonValue extends JsonOutline {
  name: string
  next: JsonValue | undefined
}

/** The members of an object, in their order. No two have the same name. */
export class JsonMembers {
  size = 0
  private first: JsonValue | undefined
  private last: JsonValue | undefined
  /** Where there are so many that looking through them would take a stranger's choice of time. */
  private index: Map<string, JsonValue> | undefined

  get(name: string): JsonOutline | undefined {
    return this.find(name)
  }

  has(name: string): boolean {
    return this.find(name) !== undefined
  }

  forEach(visit: (name: string, outline: JsonOutline) => void): void {
    for (let member = this.first; member !== undefined; member = member.next) visit(member.name, member)
  }

  /** The name must be a new one, and the value no member yet. */
  add(name: string, value: JsonValue): void {
    value.name = name
    if (this.last === undefined) this.first = value
    else this.last.next = value
    this.last = value
    this.size++
    if (this.index !== undefined) this.index.set(name, value)
    else if (this.size > FEW_MEMBERS) this.index = this.createIndex()
  }

  private find(name: string): JsonValue | undefined {
    if (this.index !== undefined) return this.index.get(name)
    let member = this.first
    while (member !== undefined && member.name !== name) member = member.next
    return member
  }

  private createIndex(): Map<string, JsonValue> {
    const index = new Map<string, JsonValue>()
    for (let member = this.first; member !== undefined; member = member.next) index.set(member.name, member)
    return index
  }
}

/** A value that has been scanned. */
export function createValue(
  kind: JsonKind,
  start: number,
  end: number,
  members?: JsonMembers | undefined,
  items?: JsonOutline[] | undefined,
): JsonValue {
  return { kind, start, end, members, items, name: '', next: undefined }
}
