/** An element: namespace and local name, attributes (namespace, local name, value), text, child elements. */
export interface Reading {
  readonly name: readonly [string, string];
  readonly attributes: readonly (readonly [string, string, string])[];
  readonly text: string;
  readonly children: readonly Reading[];
}
export function judge(document: string): { readonly root?: Reading; readonly error?: Error };
