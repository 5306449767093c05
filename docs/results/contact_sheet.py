"""Pictures of a finished detection run as one small file: python docs/results/contact_sheet.py RUN OUT [COUNT]."""

import sys
from pathlib import Path

from PIL import Image

WIDTH = 900


def main(run, out, count=4):
    pictures = [Image.open(path) for path in sorted((run / "gallery").glob("test_*.jpg"))[:count]]
    columns = 1 if pictures[0].width > 600 else 3
    cell = WIDTH // columns
    scaled = [picture.resize((cell, round(picture.height * cell / picture.width))) for picture in pictures]
    rows = [scaled[start : start + columns] for start in range(0, len(scaled), columns)]
    sheet = Image.new("RGB", (WIDTH, sum(row[0].height for row in rows)), "white")
    top = 0
    for row in rows:
        for column, picture in enumerate(row):
            sheet.paste(picture, (column * cell, top))
        top += row[0].height
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out, quality=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
