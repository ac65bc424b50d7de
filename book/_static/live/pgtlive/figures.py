"""The backend of matplotlib in a page: `plt.show()` puts the open figures where the cell's results go."""

from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_svg import FigureCanvasSVG

from pgtlive import shown


class FigureManager(FigureManagerBase):
    @classmethod
    def pyplot_show(cls, *, block=None):
        shown.figures(shown.display)


class FigureCanvas(FigureCanvasSVG):
    manager_class = FigureManager
