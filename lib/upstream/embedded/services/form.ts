import { element, type Element, type Stanza } from '../../../xml/index.js';
import { XMLNS } from './namespaces.js';

/** A field of a form as we offer it (XEP-0004, section 3.3). */
export interface FormField {
  readonly name: string;
  readonly type: 'boolean' | 'hidden' | 'list-single' | 'text-multi' | 'text-private' | 'text-single';
  readonly label?: string;
  readonly values: readonly string[];
  readonly options?: readonly string[];
}

/** Writes a form of one FORM_TYPE (XEP-0068). In a `result` there are neither labels nor options. */
export function writeForm(
  type: 'form' | 'result',
  formType: string,
  fields: readonly FormField[],
  title?: string,
): Element {
  const asked = type === 'form';
  return element(
    'x',
    { xmlns: XMLNS.form, type },
    asked && title !== undefined ? element('title', {}, title) : undefined,
    element('field', { var: 'FORM_TYPE', type: 'hidden' }, element('value', {}, formType)),
    ...fields.map((field) =>
      element(
        'field',
        { var: field.name, type: asked ? field.type : undefined, label: asked ? field.label : undefined },
        ...field.values.map((value) => element('value', {}, value)),
        ...(asked ? (field.options ?? []) : []).map((option) =>
          element('option', {}, element('value', {}, option)),
        ),
      ),
    ),
  );
}

/** A form that somebody filled in. */
export interface FilledForm {
  /** `submit`, `cancel` or what else was written. */
  readonly type: string;
  readonly formType: string | undefined;
  /** Values by field name, FORM_TYPE left out. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

/** Reads the form among the children of an element; undefined where there is none. */
export function readForm(parent: Stanza): FilledForm | undefined {
  const form = parent.child('x', XMLNS.form);
  if (!form) return undefined;
  const values = new Map<string, readonly string[]>();
  for (const field of form.children()) {
    const name = field.attribute('var');
    if (field.name !== 'field' || name === undefined) continue;
    values.set(
      name,
      field
        .children()
        .filter((child) => child.name === 'value')
        .map((value) => value.text()),
    );
  }
  const formType = values.get('FORM_TYPE')?.[0];
  values.delete('FORM_TYPE');
  return { type: form.attribute('type') ?? 'submit', formType, values };
}

/** A boolean as XEP-0004 writes it; undefined for what is none. */
export function readBoolean(value: string | undefined): boolean | undefined {
  if (value === '1' || value === 'true') return true;
  if (value === '0' || value === 'false') return false;
  return undefined;
}
