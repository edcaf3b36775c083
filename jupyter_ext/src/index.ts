/** The plugins of knet in JupyterLab; they share the state in `IKnet`. */

import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { LabIcon } from '@jupyterlab/ui-components';
import type { Widget } from '@lumino/widgets';

import { Api } from './model/api';
import { AskPanel } from './panels/ask';
import { COMMANDS, addNotebookCommands, addPanelCommands } from './commands';
import { knetIcon, traceIcon } from './icon';
import { IKnet, IOptions, Knet } from './model/model';
import { ASK_DEFAULTS } from './model/types';
import { answerFactory } from './notebook/renderer';
import { NetworkPanel } from './panels/network';
import { VerifyButton, followActiveCell } from './notebook/cells';
import { ProvenancePanel } from './panels/provenance';
import { StatusItem } from './views/statusbar';

const ID = 'knet-jupyter:plugin';

/** The shared state: settings, the server's routes, the selected answer. */
const client: JupyterFrontEndPlugin<IKnet> = {
  id: ID,
  description: 'The connection to the knet network.',
  autoStart: true,
  provides: IKnet,
  optional: [ISettingRegistry, ITranslator],
  activate: async (app: JupyterFrontEnd, registry: ISettingRegistry | null, translator: ITranslator | null) => {
    const trans = (translator ?? nullTranslator).load('knet_jupyter');
    const { k, max_nodes, node_timeout } = ASK_DEFAULTS;
    const options: IOptions = { k, max_nodes, node_timeout };
    const knet = new Knet(new Api(app.serviceManager.serverSettings), trans, options);
    const settings = await registry?.load(ID).catch(() => null);
    const applySettings = () => {
      options.k = Number(settings!.composite.passages);
      options.max_nodes = settings!.composite.maxNodes as IOptions['max_nodes'];
      options.node_timeout = Number(settings!.composite.nodeTimeout);
      knet.use(String(settings!.composite.profile));
      void knet.refresh();
      void knet.refreshHealth();
    };
    if (settings) {
      settings.changed.connect(applySettings);
      applySettings();
    } else {
      void knet.refresh();
    }
    return knet;
  }
};

/** The three panels and the commands that open them. */
const panels: JupyterFrontEndPlugin<void> = {
  id: 'knet-jupyter:panels',
  description: 'Panels to ask, to trace an answer, and to inspect the network.',
  autoStart: true,
  requires: [IKnet],
  optional: [ILayoutRestorer, ICommandPalette, ILauncher],
  activate: (
    app: JupyterFrontEnd,
    knet: IKnet,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null
  ) => {
    const { trans } = knet;
    const ask = new AskPanel(knet, app.commands);
    const provenance = new ProvenancePanel(knet);
    const network = new NetworkPanel(knet, app.serviceManager.contents);
    const addPanel = (panel: Widget, id: string, caption: string, icon: LabIcon, area: string, rank: number) => {
      panel.id = id;
      panel.title.icon = icon;
      panel.title.caption = caption;
      panel.node.setAttribute('role', 'region');
      panel.node.setAttribute('aria-label', caption);
      app.shell.add(panel, area, { rank });
      restorer?.add(panel, id);
    };
    addPanel(ask, 'knet-ask', trans.__('Ask the network'), knetIcon, 'left', 600);
    addPanel(provenance, 'knet-provenance', trans.__('Provenance'), traceIcon, 'right', 600);
    addPanel(network, 'knet-network', trans.__('Network'), knetIcon, 'right', 601);
    addPanelCommands(app, trans, { ask, provenance: provenance.id, network: network.id });
    const category = trans.__('knet');
    [COMMANDS.open, COMMANDS.provenance, COMMANDS.network].forEach(command =>
      palette?.addItem({ command, category, args: { isPalette: true } })
    );
    launcher?.add({ command: COMMANDS.open, category: trans.__('Other'), rank: 10 });
  }
};

/** Commands for answers in notebooks. */
const notebooks: JupyterFrontEndPlugin<void> = {
  id: 'knet-jupyter:notebooks',
  description: 'Inserts answers into notebooks, and verifies the answers in them.',
  autoStart: true,
  requires: [IKnet, INotebookTracker],
  optional: [ICommandPalette],
  activate: (app: JupyterFrontEnd, knet: IKnet, tracker: INotebookTracker, palette: ICommandPalette | null) => {
    addNotebookCommands(app, knet, tracker);
    followActiveCell(tracker, knet);
    const verify = () => void app.commands.execute(COMMANDS.verify);
    app.docRegistry.addWidgetExtension('Notebook', new VerifyButton(knet, verify));
    [COMMANDS.insert, COMMANDS.verify].forEach(command =>
      palette?.addItem({ command, category: knet.trans.__('knet') })
    );
  }
};

/** The renderer of answers in the outputs of cells. */
const renderer: JupyterFrontEndPlugin<void> = {
  id: 'knet-jupyter:renderer',
  description: 'Shows answers in the outputs of cells.',
  autoStart: true,
  requires: [IKnet, IRenderMimeRegistry],
  activate: (app: JupyterFrontEnd, knet: IKnet, registry: IRenderMimeRegistry) => {
    registry.addFactory(answerFactory(knet, app.commands));
  }
};

/** The status bar item with the state of the network. */
const status: JupyterFrontEndPlugin<void> = {
  id: 'knet-jupyter:status',
  description: 'Shows the state of the network in the status bar.',
  autoStart: true,
  requires: [IKnet, IStatusBar],
  activate: (app: JupyterFrontEnd, knet: IKnet, bar: IStatusBar) => {
    const item = new StatusItem(knet, () => void app.commands.execute(COMMANDS.network));
    bar.registerStatusItem('knet-jupyter:status', { item, align: 'left', rank: 500 });
  }
};

export default [client, panels, notebooks, renderer, status];
