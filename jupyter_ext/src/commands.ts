/** The commands for menus, palette, shortcuts and other extensions. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { AskPanel } from './panels/ask';
import { knetIcon, traceIcon } from './icon';
import type { IKnet } from './model/model';
import { insertAnswer } from './notebook/cells';
import { verifyAll } from './notebook/verifyall';

export const COMMANDS = {
  open: 'knet:open',
  ask: 'knet:ask',
  provenance: 'knet:open-provenance',
  network: 'knet:open-network',
  insert: 'knet:insert-answer',
  verify: 'knet:verify-notebook'
};

const NO_ARGUMENTS = { args: { type: 'object', properties: {} } };

/** Add the commands that open the panels. */
export function addPanelCommands(
  app: JupyterFrontEnd,
  trans: TranslationBundle,
  panels: { ask: AskPanel; provenance: string; network: string }
): void {
  const { commands, shell } = app;
  commands.addCommand(COMMANDS.open, {
    label: args => (args.isPalette ? trans.__('Ask the Network') : trans.__('Ask knet')),
    caption: trans.__('Ask a knowledge network without an owner'),
    icon: knetIcon,
    describedBy: NO_ARGUMENTS,
    execute: () => shell.activateById(panels.ask.id)
  });
  commands.addCommand(COMMANDS.ask, {
    label: trans.__('Ask the Network a Question'),
    describedBy: {
      args: {
        type: 'object',
        properties: { question: { type: 'string', description: trans.__('The question') } },
        required: ['question']
      }
    },
    execute: args => {
      shell.activateById(panels.ask.id);
      return panels.ask.ask(String(args.question ?? ''));
    }
  });
  commands.addCommand(COMMANDS.provenance, {
    label: trans.__('Show Provenance'),
    icon: traceIcon,
    describedBy: NO_ARGUMENTS,
    execute: () => shell.activateById(panels.provenance)
  });
  commands.addCommand(COMMANDS.network, {
    label: trans.__('Show the Network'),
    icon: knetIcon,
    describedBy: NO_ARGUMENTS,
    execute: () => shell.activateById(panels.network)
  });
}

/** Add the commands that work on the current notebook. */
export function addNotebookCommands(app: JupyterFrontEnd, knet: IKnet, notebooks: INotebookTracker): void {
  const { commands, shell } = app;
  const { trans } = knet;
  commands.addCommand(COMMANDS.insert, {
    label: trans.__('Insert Answer as Cell'),
    describedBy: NO_ARGUMENTS,
    isEnabled: () => knet.answered !== null,
    execute: async () => {
      const { answered } = knet;
      if (answered) {
        const panel: NotebookPanel = notebooks.currentWidget ?? (await commands.execute('notebook:create-new', {}));
        await panel.context.ready;
        insertAnswer(panel, answered);
        shell.activateById(panel.id);
      }
    }
  });
  commands.addCommand(COMMANDS.verify, {
    label: trans.__('Verify Answers in This Notebook'),
    describedBy: NO_ARGUMENTS,
    isEnabled: () => notebooks.currentWidget !== null,
    execute: async () => {
      const panel = notebooks.currentWidget;
      if (panel) {
        await verifyAll(panel.content.model?.toJSON(), panel.title.label, knet);
      }
    }
  });
}
