import { SaxesParser } from 'saxes';

/**
 * What a document means, as an independent parser (saxes) reads it: for each element its namespace,
 * local name, attributes, text and children. Namespaces are resolved here, so that those declared on
 * the root can be exchanged.
 * @param {string} document
 * @param {(uri: string, rootUri: string) => string} [exchange] for what the root declares
 * @returns {{ root?: object, error?: Error }} what was read, as far as the parser came
 */
export function judge(document, exchange) {
  const parser = new SaxesParser({ xmlns: true });
  const open = [];
  const result = {};
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', (tag) => {
    const declared = { ...tag.ns };
    if (exchange && open.length === 0) {
      for (const prefix of Object.keys(declared)) declared[prefix] = exchange(declared[prefix], tag.uri);
    }
    const scope = { __proto__: open.at(-1)?.scope ?? { __proto__: null, xml: 'http://www.w3.org/XML/1998/namespace' }, ...declared };
    const attributes = Object.values(tag.attributes)
      .filter(({ name }) => name !== 'xmlns' && !name.startsWith('xmlns:'))
      .map(({ prefix, local, value }) => [prefix ? scope[prefix] : '', local, value]);
    const element = { name: [(open.length === 0 ? tag.uri : scope[tag.prefix]) ?? '', tag.local], attributes: sorted(attributes), text: '', children: [] };
    written.set(element, { prefixed: tag.prefix !== '', declares: '' in tag.ns });
    if (open.length > 0) open.at(-1).element.children.push(element);
    else result.root = element;
    open.push({ scope, element });
  });
  const text = (data) => {
    if (open.length > 0) open.at(-1).element.text += data;
  };
  parser.on('text', text);
  parser.on('cdata', text);
  parser.on('closetag', () => {
    open.pop().element.closed = true;
  });
  try {
    parser.write(document).close();
  } catch (error) {
    result.error = error;
  }
  return result;
}

/** How an element was written: whether its name has a prefix, whether it declares a default namespace. */
const written = new WeakMap();

/** Whether the name of an element that {@link judge} read has a prefix. */
export const isPrefixed = (element) => written.get(element).prefixed;

/** The same element where the default namespace around it, its own declaration or none counted as that, is another. */
export function adopted(element, uri) {
  const adopt = (one, top) => {
    const { prefixed, declares } = written.get(one);
    if (declares && !top) return one;
    const name = prefixed ? one.name : [uri, one.name[1]];
    return { name, attributes: one.attributes, text: one.text, children: one.children.map((child) => adopt(child, false)), closed: one.closed };
  };
  return adopt(element, true);
}

/** Attributes in one order, whoever read them. */
export function sorted(attributes) {
  const key = ([uri, local]) => `${uri} ${local}`;
  return attributes.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** The same of a Stanza, by asking it. */
export function meaningOf(stanza, namespaces = new Map()) {
  const scope = new Map(namespaces);
  // A Stanza gives attributes by their names as written; what their prefixes mean stands in its start tag.
  const tag = stanza.toString();
  for (const [, name, quoted] of tag.slice(tag.search(/[\s/>]/)).matchAll(/\s+([^\s=/>]+)\s*=\s*("[^"]*"|'[^']*')/gy)) {
    if (name.startsWith('xmlns:')) scope.set(name.slice(6), judge(`<a b=${quoted}/>`).root.attributes[0][2]);
  }
  const attributes = [...stanza.attributes].map(([name, value]) => {
    const colon = name.indexOf(':');
    const prefix = colon < 0 ? '' : name.slice(0, colon);
    const uri = prefix === '' ? '' : prefix === 'xml' ? 'http://www.w3.org/XML/1998/namespace' : scope.get(prefix);
    return [uri, name.slice(colon + 1), value];
  });
  return {
    name: [stanza.namespace, stanza.name],
    attributes: sorted(attributes),
    text: stanza.text(),
    children: stanza.children().map((child) => meaningOf(child, scope)),
    closed: true,
  };
}
