//! Latency curves as SVG, for light and dark pages: lines have colours that show on both, all else is the page's.

use plotters::prelude::*;
use storage::bench::Cell;
use storage::{Error, ErrorKind, Result};

const SIZE: (u32, u32) = (640, 320);
const GREY: RGBColor = RGBColor(128, 128, 128);
/// Told apart also by those who see few colours (Okabe and Ito), and none of them lost on a light or a dark page.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(140, 140, 40),
    RGBColor(120, 80, 200),
];
/// Every other curve, and all of them in another way once the colours come again: length and gap, in pixels.
const DASHES: [&str; 4] = ["none", "9 4", "2 4", "12 3 2 3"];
/// How many nines the curves show.
const NINES: f64 = 3.0;

fn dash(index: usize) -> &'static str {
    DASHES[(index % 2 + 2 * (index / COLOURS.len())) % DASHES.len()]
}

fn colour(index: usize) -> String {
    let RGBColor(r, g, b) = COLOURS[index % COLOURS.len()];
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// A piece of the curve with this index, for a legend.
pub(super) fn sample(index: usize) -> String {
    let (colour, dash) = (colour(index), dash(index));
    format!(
        "<svg viewBox=\"0 0 32 4\" aria-hidden=\"true\"><line x1=\"0\" y1=\"2\" x2=\"32\" y2=\"2\" stroke=\"{colour}\" \
         stroke-width=\"2\" stroke-dasharray=\"{dash}\"/></svg>"
    )
}

/// Latency over percentile, a curve for each cell, on a scale that ends at so many seconds.
pub(super) fn latencies(cells: &[&Cell], slowest: f64) -> Result<String> {
    let mut svg = String::new();
    draw(&mut svg, cells, slowest)
        .map_err(|error| Error::new(ErrorKind::Other, format!("the latency curves cannot be drawn: {error}")))?;
    Ok(dashed(svg))
}

/// The same drawing with dashes: the library draws lines of dots and dashes as many small ones, which is large and does not
/// follow a curve. Curves are the lines that are not grey, and come in their order.
fn dashed(svg: String) -> String {
    let grey = "#808080";
    let mut curve = 0;
    let lines = svg.split_inclusive('\n').map(|line| {
        if !line.starts_with("<polyline") || line.to_lowercase().contains(grey) {
            return line.to_owned();
        }
        let dash = dash(curve);
        curve += 1;
        line.replacen("<polyline", &format!("<polyline stroke-dasharray=\"{dash}\""), 1)
    });
    lines.collect()
}

fn draw(svg: &mut String, cells: &[&Cell], slowest: f64) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let curves: Vec<Vec<(f64, f64)>> = cells.iter().map(|cell| points(cell)).collect();
    let highest = (slowest * 1000.0).max(0.1) * 1.05;
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .margin(8)
        .margin_right(32)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(0.0..NINES, 0.0..highest)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GREY.mix(0.3))
        .axis_style(GREY)
        .x_labels(4)
        .x_label_formatter(&|nines| percentile(*nines))
        .x_desc("of the parts are done within")
        .y_label_formatter(&|millis| milliseconds(*millis))
        .label_style(("sans-serif", 16))
        .axis_desc_style(("sans-serif", 16))
        .draw()?;
    for (index, curve) in curves.into_iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()].stroke_width(2);
        chart.draw_series(LineSeries::new(curve, colour))?;
    }
    area.present()?;
    drop(chart);
    Ok(())
}

/// A curve in nines and milliseconds: 1 is 90%, 2 is 99%.
fn points(cell: &Cell) -> Vec<(f64, f64)> {
    let nines = |quantile: f64| if quantile >= 1.0 { NINES } else { -(1.0 - quantile).log10() };
    cell.curve.iter().map(|(quantile, seconds)| (nines(*quantile).min(NINES), seconds * 1000.0)).collect()
}

fn percentile(nines: f64) -> String {
    let percent = 100.0 * (1.0 - 10f64.powf(-nines));
    let text = format!("{percent:.1}");
    format!("{}%", text.trim_end_matches(".0"))
}

fn milliseconds(millis: f64) -> String {
    match millis {
        0.0 => "0".to_owned(),
        ..1.0 => format!("{millis:.1} ms"),
        1.0..1000.0 => format!("{millis:.0} ms"),
        _ => format!("{:.1} s", millis / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_told_apart() {
        let looks: std::collections::BTreeSet<_> = (0..16).map(|index| (colour(index), dash(index))).collect();
        assert_eq!(looks.len(), 16);
        let svg =
            "<polyline points=\"\" stroke=\"#808080\"/>\n<polyline points=\"1,1\"/>\n<polyline points=\"2,2\"/>\n";
        let dashed = dashed(svg.to_owned());
        let lines: Vec<&str> = dashed.lines().collect();
        assert!(!lines[0].contains("dash") && lines[2].contains("stroke-dasharray=\"9 4\""), "{dashed}");
    }

    #[test]
    fn labels() {
        assert_eq!([0.0, 1.0, 2.0, 3.0].map(percentile), ["0%", "90%", "99%", "99.9%"]);
        assert_eq!([0.5, 20.0, 1500.0].map(milliseconds), ["0.5 ms", "20 ms", "1.5 s"]);
    }
}
