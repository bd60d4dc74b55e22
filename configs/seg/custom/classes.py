"""The classes of a data set of your own: copy this file and write yours.

The order is that of the numbers in the masks. The palette has a colour for each class,
RGB, for pictures.
"""

metainfo = dict(
    classes=('background', 'crop', 'weed'),
    palette=[[60, 60, 60], [70, 170, 70], [220, 80, 40]],
)
