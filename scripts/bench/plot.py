"""Bars of every scene and client: one figure for throughput, one for CPU."""

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update(
    {
        # Text stays text, so that the files are small, and the same figures give the same file.
        "svg.fonttype": "none",
        "svg.hashsalt": "strata-ckpt",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
        "font.size": 8,
        # Greys that can be read on white and on black; the background is left out.
        "text.color": "#767b80",
        "axes.edgecolor": "#767b80",
        "axes.labelcolor": "#767b80",
        "xtick.color": "#767b80",
        "ytick.color": "#767b80",
    }
)
import matplotlib.pyplot as plt  # noqa: E402

OURS_COLOUR, PEER_COLOUR, FLOOR_COLOUR = "#e8743b", "#5b8fb9", "#a0a4a8"
COLUMNS = 4


def plot(path, panels, unit, meaning):
    """`panels`: (title, [(client, kind, median, low, high)]); a client without figures has None."""
    rows = -(-len(panels) // COLUMNS)
    figure, grid = plt.subplots(rows, COLUMNS, figsize=(12, 1.9 * rows + 0.4), squeeze=False)
    flat = [axes for row in grid for axes in row]
    for axes in flat[len(panels) :]:
        axes.set_visible(False)
    for axes, (title, bars) in zip(flat, panels, strict=False):
        draw(axes, title, bars)
    figure.suptitle(f"{unit}: {meaning}; the line is the range of all runs", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})
    plt.close(figure)


def draw(axes, title, bars):
    colours = {"ours": OURS_COLOUR, "peer": PEER_COLOUR, "floor": FLOOR_COLOUR}
    for row, (client, kind, median, low, high) in enumerate(bars):
        if median is None:
            axes.text(0, row, " failed", va="center")
            continue
        axes.barh(row, median, color=colours[kind])
        axes.plot([low, high], [row, row], color="#767b80", linewidth=1)
        axes.text(max(high, median), row, f" {median:.3g}", va="center")
    axes.set_yticks(range(len(bars)), [bar[0] for bar in bars])
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.set_title(title, fontsize=9)
    axes.set_xlim(0, 1.18 * max([bar[4] for bar in bars if bar[2] is not None], default=1))
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
