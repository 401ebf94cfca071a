// A dialog for the values of one run.

import { Dialog, showDialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

type Values = { [name: string]: string | number | boolean };

class ParametersBody extends Widget implements Dialog.IBodyWidget<{ [name: string]: string }> {
  private readonly fields = new Map<string, HTMLInputElement>();

  constructor(private readonly values: Values) {
    super();
    this.addClass('lg-parameters');
    for (const [name, value] of Object.entries(values)) {
      const label = document.createElement('label');
      const words = document.createElement('span');
      words.textContent = name;
      const field = document.createElement('input');
      field.className = 'jp-mod-styled';
      field.value = String(value);
      label.append(words, field);
      this.node.append(label);
      this.fields.set(name, field);
    }
  }

  getValue(): { [name: string]: string } {
    const changed: { [name: string]: string } = {};
    for (const [name, field] of this.fields) {
      if (field.value !== String(this.values[name])) {
        changed[name] = field.value;
      }
    }
    return changed;
  }
}

/** Return the values that were changed; null: the dialog was left. */
export async function askParameters(values: Values): Promise<{ [name: string]: string } | null> {
  const found = await showDialog({
    title: 'Run with parameters',
    body: new ParametersBody(values),
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'Run' })],
    focusNodeSelector: 'input'
  });
  return found.button.accept ? found.value ?? {} : null;
}
