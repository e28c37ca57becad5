import { js2xml, xml2js, type Attributes, type Element } from 'xml-js';
import { normalizeLineEnds } from './characters.js';
import { escapeAttribute } from './escape.js';

export type { Element } from 'xml-js';

/**
 * Writes an element that we author. The one place where xml-js writes: it leaves attribute values
 * unescaped but for quotes, and it turns `&amp;` in text, meant literally, into `&`; both are cured
 * here. Whatever comes out still has to pass the scanner ({@link Stanza.of} sees to that).
 */
export function writeElement(element: Element): string {
  return js2xml(
    { elements: [protectText(element)] },
    {
      attributesFn: (attributes) => {
        const escaped: Record<string, string> = {};
        for (const [name, value] of Object.entries(attributes as unknown as Attributes)) {
          if (value !== undefined) escaped[name] = escapeAttribute(String(value));
        }
        return escaped;
      },
      // A parser would read a bare carriage return as a line feed.
      textFn: (text) => text.replaceAll('\r', '&#13;'),
    },
  );
}

/** xml-js reads `&amp;` in text as if it had been escaped already; nothing else needs a copy. */
function protectText(element: Element): Element {
  if (element.type === 'text') {
    const text = String(element.text ?? '');
    return text.includes('&amp;') ? { ...element, text: text.replaceAll('&amp;', '&amp;amp;') } : element;
  }
  return element.elements ? { ...element, elements: element.elements.map(protectText) } : element;
}

/** Reads one element as a tree. Only for text that the scanner accepted. */
export function readElement(xml: string): Element {
  const { elements } = xml2js(normalizeSpace(xml), { captureSpacesBetweenElements: true }) as Element;
  return elements![0]!;
}

/** What every XML parser does with line ends and, in attribute values, with white space; this one does not. */
function normalizeSpace(xml: string): string {
  if (!/[\t\n\r]/.test(xml)) return xml;
  return normalizeLineEnds(xml).replace(CDATA_OR_TAG, (found) =>
    found.startsWith('<!') ? found : found.replace(/[\t\n]/g, ' '),
  );
}

const CDATA_OR_TAG = /<!\[CDATA\[[^]*?\]\]>|<(?:[^"'>]|"[^"]*"|'[^']*')*>/g;

/** An element of ours: name, attributes (undefined: left out), children (strings are text). */
export function element(
  name: string,
  attributes: Record<string, string | number | undefined> = {},
  ...children: (Element | string | undefined)[]
): Element {
  return {
    type: 'element',
    name,
    attributes,
    elements: children
      .filter((child) => child !== undefined)
      .map((child) => (typeof child === 'string' ? { type: 'text', text: child } : child)),
  };
}
